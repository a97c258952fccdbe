"""Prints how Python shows the bytes that each line of its standard input has in hexadecimal; and
then how it shows this moment."""

import sys
import time

for line in sys.stdin:
    print(bytes.fromhex(line))
print(time.ctime())
