"""tf.contrib.distribute: strategies, which became tf.distribute's."""

import tensorflow as tf

_d = tf.distribute
MirroredStrategy = _d.MirroredStrategy
OneDeviceStrategy = _d.OneDeviceStrategy
ParameterServerStrategy = _d.experimental.ParameterServerStrategy
CollectiveAllReduceStrategy = _d.experimental.MultiWorkerMirroredStrategy
get_replica_context = _d.get_replica_context
