"""What senders say: calls of the tracking APIs, read into records that the lake keeps. No I/O, no clock."""
