"""What a shape can hold: programs, their compiler to Llama weights, certificates, and learning in the same shape."""
