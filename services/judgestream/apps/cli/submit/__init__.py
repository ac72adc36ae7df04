"""`judgestream submit`: publish the requests and labels of files."""
