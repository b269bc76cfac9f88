"""What the numeric libraries made of their variables."""

import numba
import numpy
import threadpoolctl

numpy.ones((8, 8)) @ numpy.ones((8, 8))

for library in threadpoolctl.threadpool_info():
    print(f"{library['internal_api']}={library['num_threads']}")
# Starts the threads.
print(f"numba={numba.get_num_threads()}")
