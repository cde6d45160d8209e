import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # what several of these tests share lies here
sys.path.insert(0, str(Path(__file__).parents[2] / "mixnet" / "tests"))  # its fake host
sys.path.append(str(Path(__file__).parents[3] / "libs/logos-crypto/tests"))  # its oracles
sys.path.append(str(Path(__file__).parents[3] / "libs/logos-mantle/tests"))  # its values
