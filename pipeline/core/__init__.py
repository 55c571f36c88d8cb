"""What all packages share: types, keypoint sets, settings, errors. This package imports no other one."""
