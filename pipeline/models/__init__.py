"""Networks: their inputs, their outputs and the decoding of the outputs."""
