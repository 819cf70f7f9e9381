"""Tumour stage from masks, subtypes from class scores, and readers beside the model.

For research only: nothing here is a medical device.
"""

from training.staging.config import ReaderConfig, StagingConfig, SubtypeConfig
from training.staging.stage import Staging, stage_case

__all__ = ["ReaderConfig", "Staging", "StagingConfig", "SubtypeConfig", "stage_case"]
