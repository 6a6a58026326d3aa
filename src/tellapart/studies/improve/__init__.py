"""`tellapart improve`: how much could a model raise itself, and how far does it?"""
