package tensor

import "fmt"

// DType is the type of a tensor's elements, by its number in TensorFlow's
// DataType enum.
type DType int32

// The element types that can cross the wire, and those that a signature may name
// but a request cannot carry (see [DType.Supported]).
const (
	Invalid    DType = 0
	Float32    DType = 1
	Float64    DType = 2
	Int32      DType = 3
	Uint8      DType = 4
	Int16      DType = 5
	Int8       DType = 6
	String     DType = 7
	Complex64  DType = 8
	Int64      DType = 9
	Bool       DType = 10
	Qint8      DType = 11
	Quint8     DType = 12
	Qint32     DType = 13
	BFloat16   DType = 14
	Qint16     DType = 15
	Quint16    DType = 16
	Uint16     DType = 17
	Complex128 DType = 18
	Float16    DType = 19
	Resource   DType = 20
	Variant    DType = 21
	Uint32     DType = 22
	Uint64     DType = 23
)

// dtypes gives each type its name and, where JSON can carry it and it is not
// String, the bytes of one element.
var dtypes = [...]struct {
	name string
	size int
}{
	Invalid: {"DT_INVALID", 0}, Float32: {"DT_FLOAT", 4}, Float64: {"DT_DOUBLE", 8}, Int32: {"DT_INT32", 4},
	Uint8: {"DT_UINT8", 1}, Int16: {"DT_INT16", 2}, Int8: {"DT_INT8", 1}, String: {"DT_STRING", 0},
	Complex64: {"DT_COMPLEX64", 0}, Int64: {"DT_INT64", 8}, Bool: {"DT_BOOL", 1}, Qint8: {"DT_QINT8", 0},
	Quint8: {"DT_QUINT8", 0}, Qint32: {"DT_QINT32", 0}, BFloat16: {"DT_BFLOAT16", 2}, Qint16: {"DT_QINT16", 0},
	Quint16: {"DT_QUINT16", 0}, Uint16: {"DT_UINT16", 2}, Complex128: {"DT_COMPLEX128", 0}, Float16: {"DT_HALF", 2},
	Resource: {"DT_RESOURCE", 0}, Variant: {"DT_VARIANT", 0}, Uint32: {"DT_UINT32", 4}, Uint64: {"DT_UINT64", 8},
}

// String gives the type's name as TensorFlow spells it, for example DT_FLOAT.
func (d DType) String() string {
	if d < 0 || int(d) >= len(dtypes) {
		return fmt.Sprintf("DT_%d", int32(d))
	}
	return dtypes[d].name
}

// Size gives the bytes of one element, 0 for String and for types that are
// not supported.
func (d DType) Size() int {
	if d < 0 || int(d) >= len(dtypes) {
		return 0
	}
	return dtypes[d].size
}

// Supported says whether tensors of the type can be read from and written to
// JSON. Complex, quantized, resource and variant tensors cannot.
func (d DType) Supported() bool { return d == String || d.Size() > 0 }
