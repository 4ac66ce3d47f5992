"""Where artifacts live, and how figures, images and tables become files."""
