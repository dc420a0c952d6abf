"""Settings act: each is set to another value than its default, and found where it does its work."""

import pytest

from app import create_context
from app.config import Settings
from app.domain.errors import ConfigurationError


@pytest.fixture
def unused(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"))


def test_models_run_where_and_in_what_the_settings_say(unused: Settings) -> None:
    chosen = unused.model_copy(update={"model_device": "cpu", "model_dtype": "fp16"})
    models = create_context(chosen, "postgresql:///").models
    assert models.get("efficientnet-lite0").runs_on == "cpu, float16"
    absent = create_context(unused.model_copy(update={"model_device": "cuda:77"}), "postgresql:///").models
    with pytest.raises(ConfigurationError, match="cuda:77"):
        absent.get("efficientnet-lite0")
