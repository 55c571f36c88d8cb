"""What every room speaks: types, keypoint sets, settings, errors. Imports no other room."""
