"""Side by side against other ways; figures for the documents, never assertions on seconds."""
