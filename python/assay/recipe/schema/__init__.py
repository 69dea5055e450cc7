"""What a recipe may say. One TOML file holds a whole run: model, data, reward and the stages in their order."""

from __future__ import annotations

from assay.recipe.schema.base import Above0, Count, Name, NotNegative, Positive, Share
from assay.recipe.schema.cluster import ClusterConfig
from assay.recipe.schema.collect import BalanceConfig, CollectStage, FilterConfig
from assay.recipe.schema.data import AnyData, MixtureConfig, StageOutputConfig
from assay.recipe.schema.distill import DistillStage
from assay.recipe.schema.evaluate import EvalStage
from assay.recipe.schema.export import ExportStage
from assay.recipe.schema.generator import GeneratorConfig, LaunchConfig, LocalGeneration, SGLangGeneration, SyncConfig
from assay.recipe.schema.grpo import GrpoStage
from assay.recipe.schema.model import FolderModel, GgufModel, LoraConfig, ModelBase, ModelConfig, TinyModel
from assay.recipe.schema.pipeline import Asynchronous, OneStepOff, PipelineConfig, Synchronous
from assay.recipe.schema.preference import PreferenceStage
from assay.recipe.schema.recipe import AnyStage, Recipe
from assay.recipe.schema.runtime import RuntimeConfig
from assay.recipe.schema.scorer import PreferenceReward, ScorerConfig
from assay.recipe.schema.sft import SftOptions, SftStage
from assay.recipe.schema.stage import Sampling, Stage, Training

__all__ = [
    "Above0",
    "AnyData",
    "AnyStage",
    "Asynchronous",
    "BalanceConfig",
    "ClusterConfig",
    "CollectStage",
    "Count",
    "DistillStage",
    "EvalStage",
    "ExportStage",
    "FilterConfig",
    "FolderModel",
    "GeneratorConfig",
    "GgufModel",
    "GrpoStage",
    "LaunchConfig",
    "LocalGeneration",
    "LoraConfig",
    "MixtureConfig",
    "ModelBase",
    "ModelConfig",
    "Name",
    "NotNegative",
    "OneStepOff",
    "PipelineConfig",
    "Positive",
    "PreferenceReward",
    "PreferenceStage",
    "Recipe",
    "RuntimeConfig",
    "SGLangGeneration",
    "Sampling",
    "ScorerConfig",
    "SftOptions",
    "SftStage",
    "Share",
    "Stage",
    "StageOutputConfig",
    "SyncConfig",
    "Synchronous",
    "TinyModel",
    "Training",
]
