"""Domains by their names."""

from hd2s_tf.errors import BadInputError


def domain_index(domain: str | None, domains: tuple[str, ...]) -> int:
    """The index of a domain by its name, in any case; 0 where there are no domains.

    Raises:
      BadInputError: a domain is needed and not given, given and not known, or given to a model without domains.
    """
    if not domains:
        if domain is not None:
            raise BadInputError(f"domain {domain!r}: this model is not domain-specific, it takes no domain")
        return 0
    names = [name.lower() for name in domains]
    if domain is None or domain.lower() not in names:
        given = "no domain is given" if domain is None else f"no domain {domain!r}"
        raise BadInputError(f"{given}: this model has {', '.join(domains)}")
    return names.index(domain.lower())
