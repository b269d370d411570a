"""What a stream is asked to do: the words as types, every fault of them, and where they are read."""
