import pytest

from hd2s_tf.errors import BadInputError
from hd2s_tf.inference.domains import domain_index


def test_domains_are_found_by_name():
    assert domain_index("ucfsports", ("DHF1K", "UCFSports")) == 1
    assert domain_index(None, ()) == 0
    for name, domains, message in (
        ("other", ("DHF1K",), "no domain 'other': this model has DHF1K"),
        (None, ("DHF1K",), "no domain is given"),
        ("DHF1K", (), "not domain-specific"),
    ):
        with pytest.raises(BadInputError, match=message):
            domain_index(name, domains)
