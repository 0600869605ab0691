"""Whether tracking still says what definitions suppose: events, properties, types and values, lately and as usual."""
