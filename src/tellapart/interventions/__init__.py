"""What is put into a model: arrays known by their content, features of sparse autoencoders, slopes along directions."""
