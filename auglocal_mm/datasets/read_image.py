"""Reads one image file, whole or not at all."""

from PIL import Image, ImageFile

from auglocal_mm.errors import InputError


def read_image(path: str) -> Image.Image:
    """The image at ``path`` in RGB, as its pixels are stored.

    Raises:
        InputError: The file is missing, corrupt or truncated.
    """
    # Another library may have switched this on, and would have half an image pass for a whole one.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(path) as image:
            return image.convert('RGB')
    except Exception as error:  # what PIL raises for a corrupt file has no common class
        raise InputError(
            f'image {path} cannot be read: {error}; replace the file, or set skip_corrupt=True where it is loaded'
        ) from error
