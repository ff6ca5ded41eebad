"""Package description: what is installed, and with what it is known to work."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = next(
    line.split("'")[1] for line in (HERE / 'auglocal_mm/__init__.py').read_text().splitlines() if '__version__' in line
)

setup(
    name='auglocal_mm',
    version=VERSION,
    description='Layer-by-layer pretraining of backbones with AugLocal local learning, and their transfer to detection on COCO',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['auglocal_mm', 'auglocal_mm.*']),
    # Configs and tools where mim and MMEngine look for them: links in a checkout, files in a wheel.
    package_data={
        'auglocal_mm': [
            *(f'.mim/**/*.{suffix}' for suffix in ('md', 'py', 'sh', 'yml')),
            *(f'html/*.{suffix}' for suffix in ('css', 'jinja')),
        ]
    },
    # PyTorch calls this when it is imported, before mmcv asks for its ops, in whatever program.
    entry_points={'torch.backends': ['auglocal_mm = auglocal_mm.ops:provide_mmcv_ops']},
    python_requires='>=3.10,<3.14',
    install_requires=[
        'torch>=2.11,<2.14',
        'torchvision>=0.26,<0.29',
        # The maintained distributions of OpenMMLab; they keep the import names mmengine, mmcv and mmdet.
        'onedl-mmengine>=0.10.12,<0.11',
        'onedl-mmcv>=2.3.6,<2.4',
        'onedl-mmdetection>=3.5.1,<3.6',
        'pycocotools>=2.0.8',
        'numpy>=1.26',
        'pillow>=10',
        'scipy>=1.11',  # torchvision's SVHN reads .mat files with it
        'rich>=13',
        'pydantic>=2.9',
        'safetensors>=0.4.5',
        'matplotlib>=3.8',
        'jinja2>=3.1',
        'markdown-it-py>=3',
    ],
    extras_require={
        'demo': ['scikit-learn>=1.5'],
        'dev': ['pytest>=8', 'pytest-xdist>=3.6', 'ruff==0.17.6', 'mypy==2.4.1', 'tensorboard>=2.16', 'timm>=1.0.20'],
    },
)
