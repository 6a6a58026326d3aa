"""Planting: hide a known skill in copies of a base, and see which methods find it there.

What a method did not find counts against a base only where that method finds a skill that is there. Importing this
package does not import torch; `tellapart.plant` does the work (plant.py).
"""

from tellapart.planting.result import ARMS, ArmControl, Planting, PlantSettings

__all__ = ["ARMS", "ArmControl", "PlantSettings", "Planting"]
