import pytest
import torch

from quant.clusters import clustered, nearest


def test_ties_go_to_the_lower_index():
    assert nearest(torch.tensor([-9.0, 0.5, 0.51, 1.5, 9.0]), torch.tensor([0.0, 1.0, 2.0])).tolist() == [0, 0, 1, 1, 2]


def test_clusters_by_hand():
    # from 0, 5 and 10: {0, 1, 2}, {4}, {9, 10}; then 1, 4 and 9.5: nothing moves
    assert clustered(torch.tensor([10.0, 0, 1, 2, 4, 9]), 3).tolist() == [1, 4, 9.5]
    # the middle one is nearest to nothing, and stays
    assert clustered(torch.tensor([0.0, 1, 9, 10]), 3).tolist() == [0.5, 5, 9.5]


def test_no_assignment_of_the_weights_is_better_than_the_nearest_centroid():
    w = torch.randn(500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centroids = clustered(w, 15)
    codes = nearest(w, centroids)
    assert torch.equal(codes, (w[:, None] - centroids).abs().argmin(1))
    for i in codes.unique():
        assert centroids[i] == pytest.approx(float(w[codes == i].mean()))
