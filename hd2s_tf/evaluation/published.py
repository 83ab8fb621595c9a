"""Published scores on test splits, to stand beside ours.

Source: as the papers named report them, collected in the tables of Bellitto et al., "Hierarchical Domain-Adapted
Feature Learning for Video Saliency Prediction", IJCV 2021 (arXiv 2010.01220): DHF1K in its table 1, Hollywood-2 and UCF
Sports in its table 2, where HD2S is trained on DHF1K only. The values for DHF1K of HD2S, TASED-Net and ACLNet were
compared with public lists; of table 2 only NSS of HD2S and SIM and NSS of TASED-Net on UCF Sports and SIM of TASED-Net
on Hollywood-2 could be. Its tables 5 and 7 are not here: no public list has them.
"""

# AUC-Judd, SIM, s-AUC, CC, NSS.
_METRICS = ("auc_judd", "sim", "s_auc", "cc", "nss")
_TABLES = {
    # Table 1.
    "dhf1k": (
        ("HD2S (Bellitto et al. 2021)", (0.908, 0.406, 0.700, 0.503, 2.812)),
        ("UNISAL (Droste et al. 2020)", (0.901, 0.390, 0.691, 0.490, 2.776)),
        ("TASED-Net (Min and Corso 2019)", (0.895, 0.361, 0.712, 0.470, 2.667)),
        ("ACLNet (Wang et al. 2018)", (0.890, 0.315, 0.601, 0.434, 2.354)),
    ),
    # Table 2.
    "hollywood2": (
        # SIM is 0.551 in some lists and 0.558 in others.
        ("HD2S, trained on DHF1K (Bellitto et al. 2021)", (0.936, None, 0.807, 0.670, 3.352)),
        ("UNISAL (Droste et al. 2020)", (0.934, 0.542, 0.795, 0.673, 3.901)),
        ("TASED-Net (Min and Corso 2019)", (0.918, 0.507, 0.768, 0.646, 3.302)),
        ("ACLNet (Wang et al. 2018)", (0.913, 0.542, 0.757, 0.623, 3.086)),
    ),
    # Table 2.
    "ucf_sports": (
        ("HD2S, trained on DHF1K (Bellitto et al. 2021)", (0.904, 0.507, 0.768, 0.604, 3.114)),
        ("UNISAL (Droste et al. 2020)", (0.918, 0.523, 0.775, 0.644, 3.381)),
        ("TASED-Net (Min and Corso 2019)", (0.899, 0.469, 0.752, 0.582, 2.920)),
        ("ACLNet (Wang et al. 2018)", (0.897, 0.406, 0.744, 0.510, 2.567)),
    ),
}


def scores(dataset: str) -> list[tuple[str, dict[str, float]]]:
    """Method and scores of a data set, by any spelling of its name; empty if nothing is known of it.

    Args:
      dataset: as in "DHF1K", "ucf_sports" or "Hollywood-2 (test)".
    """
    wanted = "".join(letter for letter in dataset.lower() if letter.isalnum())
    for name, rows in _TABLES.items():
        if name.replace("_", "") in wanted:
            return [
                (method, {metric: value for metric, value in zip(_METRICS, values, strict=True) if value is not None})
                for method, values in rows
            ]
    return []
