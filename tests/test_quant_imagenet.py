import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from golden.errors import InputError
from golden.layer_tables import topology
from quant.data import fitting
from quant.imagenet import Files, imagenet
from quant.results import result
from quant.run import correct
from quant.schemes import schemes
from quant.settings import Recipe, Settings
from quant.train import fit, reproducible


def folder(path, images=10):
    """Two classes of grey photographs: those of the first are dark; `images` to train on, 3 to test, of each."""
    for part, count in (("train", images), ("val", 3)):
        for label, name in enumerate(("n01", "n02")):
            (path / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = np.full((12 + i, 20, 3), 30 + 150 * label + i, np.uint8)
                Image.fromarray(pixels).save(path / part / name / f"{i}.png")
    return path


def test_classes_parts_and_pixels(tmp_path):
    data = imagenet(folder(tmp_path), size=14)
    assert (len(data.train), len(data.held_out), len(data.test)) == (18, 2, 6)
    assert data.train.images.shape == (18, 3, 14, 14)
    for split in (data.train, data.held_out, data.test):
        images = split.images[torch.arange(len(split))]
        assert images.dtype == torch.uint8 and images.shape == split.images.shape
        assert torch.equal(images[:, 0, 7, 7] > 100, split.labels == 1)
    assert 0 < int(data.train.labels[:9].sum()) < 9  # classes are mixed
    assert imagenet(tmp_path, size=14).train.labels.tolist() == data.train.labels.tolist()
    parts = list(data.test.images.split(4))
    assert [len(part) for part in parts] == [4, 2] and torch.equal(parts[1], data.test.images[torch.tensor([4, 5])])
    (tmp_path / "val" / "n01" / "1.png").unlink()
    assert imagenet(tmp_path, size=14).digest != data.digest


def test_the_middle_is_cut_out(tmp_path):
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, 32:96] = 200  # the middle half of the width
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = Files([tmp_path / "a.png"], size=56)[torch.tensor([0])][0]
    assert int(image.min()) == 200
    image = Files([tmp_path / "a.png"], size=112)[torch.tensor([0])][0]  # enlarged twice, then cut
    assert image.shape == (3, 112, 112) and int(image[:, :, 20:90].min()) == 200


def test_training_reads_files(tmp_path):
    data = imagenet(folder(tmp_path), size=14)

    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = torch.nn.Linear(3 * 14 * 14, 2)

        def forward(self, pixels):
            return self.dense(pixels.flatten(1).float() / 255)

    with reproducible(0) as generator:
        found = fit(Tiny(), data, Settings(epochs=20, batch=6, rate=1e-2), generator, "tiny", progress=False)
    assert correct(found.model, data.test) == 6


@pytest.mark.parametrize("epochs", [0, 2])  # calibrated, and trained
def test_networks_of_integers_are_judged_on_files(tmp_path, epochs):
    data, net = imagenet(folder(tmp_path / "data"), size=14), "resnet8:shape=3x14x14,width=0.25,classes=2"
    start = Recipe(network=net, epochs=2, batch=6, rate=3e-3)
    asked = dataclasses.replace(start, start=start, schemes=schemes("int8", topology(net)), epochs=epochs)
    found = result(asked, data, build=tmp_path / "build", progress=False)
    images = data.test.images[torch.arange(6)]
    right = (found.network.run(images.numpy()).argmax(1) == data.test.labels.numpy()).sum()
    assert found.figures["test"] == right / 6 and found.figures["images"] == 6
    assert found.figures["compared"][found.network.output] == 6 * 2


def test_great_images_are_taken_a_few_at_once():
    assert [fitting(torch.empty(0, *shape), 1000) for shape in ((1, 28, 28), (3, 32, 32), (3, 224, 224))] == [1000, 1000, 26]
    assert fitting(torch.empty(0, 3, 5000, 5000), 1000) == 1


def test_wrong_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="holds no train; a folder of ImageNet holds train and val"):
        imagenet(tmp_path)
    folder(tmp_path / "a")
    (tmp_path / "a" / "train" / "n03").mkdir()
    with pytest.raises(InputError, match=r"n03 holds no image; allowed: \.jpeg"):
        imagenet(tmp_path / "a")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "a" / "train" / "n03" / "x.JPEG")
    with pytest.raises(InputError, match="has class n03 in train and not in val$"):
        imagenet(tmp_path / "a")
    folder(tmp_path / "b", images=4)
    with pytest.raises(InputError, match="holds 8 training images; at least 10 are needed"):
        imagenet(tmp_path / "b")
    folder(tmp_path / "c")
    for file in (tmp_path / "c" / "val" / "n01").iterdir():
        file.write_bytes(b"no image")
    with pytest.raises(InputError, match="n01/0.png is no image that can be read"):
        list(imagenet(tmp_path / "c").test.images.split(4))
