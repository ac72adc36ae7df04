"""`judgestream up`, `down`, `status` and `demo`: the local stack."""
