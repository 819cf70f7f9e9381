"""What a labelled data set looks like, who agrees with whom, and what it costs."""
