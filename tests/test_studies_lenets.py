"""studies.lenets: layers and outputs of LeNet against the model itself."""

import numpy as np
import torch

from quant.recipes import recipe
from studies.lenets import IMAGES, LeNet


def test_inputs_outputs_and_rounding():
    torch.manual_seed(4)
    model = recipe("lenet").model().eval()
    pixels = torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8)
    net = LeNet(model, pixels)
    assert [(layer.name, layer.kind, layer.weights.shape) for layer in net.layers] == [
        ("conv1", "conv", (20, 1, 5, 5)),
        ("conv2", "conv", (50, 20, 5, 5)),
        ("ip1", "dense", (500, 800)),
        ("ip2", "dense", (10, 500)),
    ]
    assert all(len(layer.inputs) == IMAGES for layer in net.layers)
    assert np.allclose(net.layers[0].inputs[3], pixels[3].numpy() / 255)
    with torch.no_grad():
        logits = model(pixels).numpy()
        last = net.layers[-1].inputs[5] @ net.layers[-1].weights.T
    assert np.allclose(net.run({})[0], logits, atol=1e-5)
    assert np.allclose(last[0], logits[5], atol=1e-4)
    fine, coarse = (np.abs(net.run({("ip1", "w"): bits})[0] - logits).max() for bits in (16, 3))
    assert 0 < fine < 1e-2 < coarse
    weights = net.layers[3].weights
    unit = np.abs(weights).max() / 3  # of 3 bits
    hidden = np.concatenate(net.layers[3].inputs)
    expected = hidden @ (np.rint(weights / unit) * unit).T
    assert np.allclose(net.run({("ip2", "w"): 3})[0][:IMAGES], expected, atol=1e-4)
