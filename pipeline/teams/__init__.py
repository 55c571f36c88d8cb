"""Teams, told by what people wear: two kits, and others such as referees and goalkeepers."""
