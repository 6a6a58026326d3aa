"""`tellapart gain`: was a gain already in the base, or is it new?"""
