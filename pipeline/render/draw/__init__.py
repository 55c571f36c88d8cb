"""People on a picture: skeletons, boxes, labels, angles, trails, insets, blur. These modules read no files."""
