"""From a video to its saliency maps."""
