"""What tells of a run: the page that shows it, report.html, and the methods section of a paper."""
