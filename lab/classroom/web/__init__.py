"""The pages and the API of the classroom, and the server that holds its connections."""
