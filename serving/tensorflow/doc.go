// Package tensorflow loads SavedModels and runs them. It is the only importer of
// the upstream Go binding.
//
// The binding is linked without a library: the C functions stay open until
// [LoadLibrary] has brought in the one of a runtime, a Python environment with
// TensorFlow in it. A process uses one runtime for all its life, and must not
// load a model before it has one.
//
// Building it needs the generated protocol buffers and linker flags of
// tools/tensorflow.mk; "make env" prints the exports for a bare go command.
//
// Caveats: TensorFlow gives device memory back only when the process ends, and a
// failed check inside it ends the process. Whoever serves several models gives
// each a process of its own.
package tensorflow
