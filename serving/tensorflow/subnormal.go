package tensorflow

/*
#if defined(__x86_64__)
#include <xmmintrin.h>

// Results that are subnormal become zero, and so do operands.
enum { flushed = 0x8000 | 0x0040 };

static unsigned hearth_flush_subnormals(void) {
	unsigned before = _mm_getcsr();
	_mm_setcsr(before | flushed);
	return before;
}

static void hearth_restore_subnormals(unsigned before) { _mm_setcsr(before); }
#else
static unsigned hearth_flush_subnormals(void) { return 0; }
static void hearth_restore_subnormals(unsigned before) {}
#endif
*/
import "C"

import "runtime"

// flushSubnormals makes the goroutine's thread treat numbers below about 1.2e-38 as
// zero until [restoreSubnormals], as the threads of TensorFlow's pools do. A graph may
// run in either, so that its answers, and Python's, would differ otherwise; and
// processors take a hundred times as long for such numbers.
func flushSubnormals() (before C.uint) {
	runtime.LockOSThread()
	return C.hearth_flush_subnormals()
}

func restoreSubnormals(before C.uint) {
	C.hearth_restore_subnormals(before)
	runtime.UnlockOSThread()
}
