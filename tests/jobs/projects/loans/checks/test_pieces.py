from pieces import Table


def test_a_missing_value_has_a_number_of_its_own():
    assert Table().transform([[2000, None, "south", True]]).tolist() == [[2.0, -1.0, 0.0, 1.0, 0.0, 1.0]]


def test_an_unknown_region_is_none_of_them():
    assert Table().transform([[0, 1.5, "moon", False]])[0, 2:5].sum() == 0
