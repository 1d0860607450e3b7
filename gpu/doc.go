// Package gpu knows the NVIDIA devices of this host. It is the only package
// that speaks to the driver's library, NVML, which it opens at run time: a
// host without it has no devices, and that is no error. A library that is
// there but fails is one, for the operator to read.
//
// Devices are named by UUID everywhere: indexes change when one fails or is
// added.
package gpu
