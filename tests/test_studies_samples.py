"""studies.samples: some images, and halves of them."""

import torch

from golden.layer_tables import topology
from quant.data import mnist
from studies.samples import Data, halves


def test_the_first_images_of_each_part():
    data = Data(name="mnist", train=30, held_out=20, test=10)
    found, whole = data.load(), mnist()
    assert torch.equal(found.train.images, whole.train.images[:30]) and len(found.held_out) == 20
    assert torch.equal(found.test.labels, whole.test.labels[:10])
    assert data.load() is found
    assert data.title == "mnist: 30 images to train on, 20 held out, 10 to test"


def test_all_images_are_the_data_set_itself():
    assert Data(name="mnist").load() is mnist()


def test_what_differs_has_another_digest():
    some = [Data(name="mnist", train=30), Data(name="mnist", train=31), Data(name="mnist", train=30, halved=True)]
    assert len({data.load().digest for data in (*some, Data(name="mnist"))}) == 4


def test_halves_are_means_of_four_to_even():
    images = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2], [0, 0, 255, 255], [1, 1, 255, 254]], dtype=torch.uint8)[None, None]
    assert halves(images).tolist() == [[[[0, 2], [0, 255]]]]
    assert Data(name="mnist", train=30, halved=True).load().test.images.shape[1:] == (1, 14, 14)


def test_networks_fit_the_images():
    halved = Data(name="mnist", train=200, halved=True)
    assert topology(halved.network("resnet8", width=0.5, first=2)).shapes["conv1"] == (16, 14, 14)
    assert Data(name="mnist", train=200).network("lenet") == "lenet"
