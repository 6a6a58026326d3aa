"""What a shape can hold against what training finds there: a certificate, and the gap to what is learned."""
