"""People on a picture: skeletons, boxes, labels, angles, trails, insets, blur. Knows no file."""
