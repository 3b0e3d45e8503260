import pytest
import torch
from quadrants import Quadrants, quadrants, trained

from golden.errors import InputError
from golden.layer_tables import topology
from quant.masks import largest, layers, masked, nonzero
from quant.models import Classifier
from quant.settings import Settings
from quant.train import fit, reproducible


def test_the_largest_stay():
    scores = torch.tensor([[0.5, 3.0], [2.0, 1.0]])
    assert largest(scores, 0.5).tolist() == [[0, 1], [1, 0]]
    assert largest(scores, 0.01).tolist() == [[0, 1], [0, 0]]
    assert largest(torch.ones(4), 0.25).tolist() == [1, 1, 1, 1]


def test_layers_have_the_names_of_their_tables_or_their_paths():
    assert list(layers(Classifier(topology("lenet")))) == ["conv1", "conv2", "ip1", "ip2"]
    assert list(layers(Quadrants())) == ["conv", "hidden", "out"]
    with pytest.raises(InputError, match="ReLU has no layer with weights"):
        layers(torch.nn.ReLU())


def test_masked_weights_stay_0_through_training():
    with reproducible(1) as generator:
        model = Quadrants()
        before = model.conv.weight.detach().clone()
        mask = largest(model.hidden.weight.abs(), 0.25).detach()
        with masked(model, {"hidden": mask}):
            fit(model, quadrants(), Settings(epochs=2, batch=40, decay=1e-2), generator, "masked", progress=False)
    assert torch.equal((model.hidden.weight != 0).float(), mask) and isinstance(model.hidden.weight, torch.nn.Parameter)
    assert not torch.equal(model.conv.weight, before)
    assert nonzero(model) == pytest.approx({"conv": 1, "hidden": 0.25, "out": 1, "": (36 + 192 + 48) / (36 + 768 + 48)})


def test_masks_go_when_training_fails():
    model = Quadrants()
    with pytest.raises(ZeroDivisionError), masked(model, {"conv": torch.zeros(4, 1, 3, 3)}):
        assert not model.conv.weight.any()
        1 / 0
    assert list(dict(model.named_parameters())) == list(dict(trained().named_parameters()))
