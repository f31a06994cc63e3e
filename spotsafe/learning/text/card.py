"""placeholder"""
def text(report): return "card\n"
