"""MMDetection and MMPose as families of networks; imported only when a config names one."""
