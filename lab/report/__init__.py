"""Reports: leaf functions of a leak matrix. They show what was judged and judge nothing."""
