"""The world around the node: the broker that a user holds, its clock, its disk and its chances."""
