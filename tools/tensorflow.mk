# What serving/tensorflow needs before it compiles: the generated packages of
# TensorFlow's protocol buffers, and something that answers to -ltensorflow.
# Included by the Makefile; sets TENSORFLOW_BINDING (the files to depend on),
# the target tensorflow-binding, and exports CGO_LDFLAGS.

TENSORFLOW_ROOT := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
TENSORFLOW_LIB  := $(TENSORFLOW_ROOT)/build/tensorflow
TENSORFLOW_BINDING := \
	$(TENSORFLOW_ROOT)/serving/tensorflow/core/framework/.stamp \
	$(TENSORFLOW_LIB)/libtensorflow.a

# TensorFlow's library comes from a runtime at run time: the linker finds an
# empty one, leaves the symbols open, and the loader binds each at its first
# call. Without --export-dynamic they would be bound to null.
export CGO_LDFLAGS := -L$(TENSORFLOW_LIB) -Wl,--unresolved-symbols=ignore-in-object-files -Wl,--export-dynamic -Wl,-z,lazy

.PHONY: tensorflow-binding
tensorflow-binding: $(TENSORFLOW_BINDING)

$(TENSORFLOW_ROOT)/serving/tensorflow/core/framework/.stamp: \
		$(TENSORFLOW_ROOT)/go.mod $(TENSORFLOW_ROOT)/tools/go.mod $(wildcard $(TENSORFLOW_ROOT)/tools/tfprotos/*.go)
	go run -C $(TENSORFLOW_ROOT)/tools ./tfprotos -root $(TENSORFLOW_ROOT)

$(TENSORFLOW_LIB)/libtensorflow.a:
	mkdir -p $(TENSORFLOW_LIB)
	ar rcs $@
