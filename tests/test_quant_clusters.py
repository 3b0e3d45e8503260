import pytest
import torch

from quant.clusters import clustered, coded, nearest


def test_ties_go_to_the_lower_index():
    assert nearest(torch.tensor([-9.0, 0.5, 0.51, 1.5, 9.0]), torch.tensor([0.0, 1.0, 2.0])).tolist() == [0, 0, 1, 1, 2]


def test_clusters_by_hand():
    # from 0, 5 and 10: {0, 1, 2}, {4}, {9, 10}; then 1, 4 and 9.5: nothing moves
    assert clustered(torch.tensor([10.0, 0, 1, 2, 4, 9]), 3).tolist() == [1, 4, 9.5]
    # the middle one is nearest to nothing, and stays
    assert clustered(torch.tensor([0.0, 1, 9, 10]), 3).tolist() == [0.5, 5, 9.5]


def test_few_numbers_are_their_own_centroids():
    w = torch.tensor([0.0, 1.0, 1.01, 50.0, 1.0])
    assert clustered(w, 4).tolist() == w.unique().tolist()  # even ones would make one of 1 and 1.01
    assert clustered(w, 7).tolist() == w.unique().tolist()


def test_code_0_is_kept_for_zeros_if_asked():
    w = torch.tensor([[0.0, 3.0], [-1.0, 0.0]])
    codes, table = coded(w, 4, True)
    assert codes.tolist() == [[0, 2], [1, 0]] and table.tolist() == [0, -1, 3, 0]
    codes, table = coded(w, 4, False)
    assert codes.tolist() == [[1, 2], [0, 1]] and table.tolist() == [-1, 0, 3, 0]
    codes, table = coded(torch.zeros(2), 4, True)
    assert codes.tolist() == [0, 0] and table.tolist() == [0, 0, 0, 0]


def test_no_assignment_of_the_weights_is_better_than_the_nearest_centroid():
    w = torch.randn(500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centroids = clustered(w, 15)
    codes = nearest(w, centroids)
    assert torch.equal(codes, (w[:, None] - centroids).abs().argmin(1))
    for i in codes.unique():
        assert centroids[i] == pytest.approx(float(w[codes == i].mean()))
