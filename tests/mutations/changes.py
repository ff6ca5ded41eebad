"""One change of the source for each guarantee of README.md and of the exactness tests, and the test that must catch it."""

from typing import NamedTuple


class Change(NamedTuple):
    """A change that breaks a guarantee.

    Attributes:
        guarantee: What the project says of itself.
        file: In ``auglocal_mm``.
        old: Text that occurs there once.
        new: What takes its place.
        test: That fails then.
    """

    guarantee: str
    file: str
    old: str
    new: str
    test: str


STEP = 'tests/local/test_step.py'
RIVALS = 'tests/models/test_rival_heads.py'
OPTIMIZERS = 'tests/runtime/test_optimizers.py'
PARALLEL = 'tests/engine/test_layer_parallel.py'
REDUCED = 'tests/models/test_reduced_heads.py'
CHANGES = [
    Change(
        'no gradient crosses a module boundary',
        'local/step.py',
        'state = state.detach()',
        'state = state',
        f'{STEP}::test_gradients_are_those_of_the_local_loss_alone',
    ),
    Change(
        'no gradient crosses a module boundary through a tap',
        'local/state.py',
        '{name: tap.detach() for name, tap in self.taps.items()}',
        'self.taps',
        'tests/local/test_module.py::test_a_detached_state_has_no_graph',
    ),
    Change(
        '--check sees a gradient that crosses',
        'local/isolation.py',
        "errors.append(float('inf') if leaked else ",
        'errors.append(',
        'tests/local/test_step.py::test_isolation_check_sees_a_gradient_that_crosses',
    ),
    Change(
        'the validated network is the exported backbone',
        'models/classifiers/image_classifier.py',
        'self._chain = join_segments(self.layers, self.segments)',
        'self._chain = join_segments(self.layers[:-1], self.segments)',
        'tests/models/test_image_classifier.py::test_validation_equals_torchvision_and_mmdet_with_the_exported_weights',
    ),
    Change(
        'gradients are freed after each update',
        'runtime/optimizers.py',
        '        wrapper.zero_grad()\n',
        '',
        f'{OPTIMIZERS}::test_gradients_are_freed_and_other_modules_left_alone',
    ),
    Change(
        'gradients are clipped by the norm of each local module',
        'runtime/optimizers.py',
        'norm = self.clip(parameters)',
        'norm = self.clip(parameters[:1])',
        f'{OPTIMIZERS}::test_clipping_takes_the_norm_of_one_module',
    ),
    Change(
        'in float16 the norm is taken without the loss scale',
        'runtime/optimizers.py',
        'wrapper.loss_scaler.unscale_(wrapper.optimizer)',
        'pass',
        f'{OPTIMIZERS}::test_clipping_in_float16_takes_the_norm_without_the_loss_scale',
    ),
    Change(
        'gradients accumulate over iterations, to the end of training',
        'runtime/optimizers.py',
        'wrapper.initialize_count_status(nn.Identity() if index else model, cur_iter, max_iters)',
        'pass',
        f'{OPTIMIZERS}::test_gradient_accumulation_counts_iterations',
    ),
    Change(
        'two processes equal one',
        'runtime/gradient_average.py',
        'total /= num_replicas()',
        'pass',
        'tests/engine/test_two_processes.py::test_two_processes_equal_one',
    ),
    Change(
        'a fused step goes by the order of memory',
        'runtime/memory_order.py',
        'optimizer.register_load_state_dict_post_hook(align_state)',
        'pass',
        'tests/runtime/test_memory_order.py::test_state_of_another_layout_is_aligned',
    ),
    Change(
        'heads copy the layers of section 3.2',
        'local/depth.py',
        'to_integer(layer - 1 + Fraction(remaining * i, hidden)) + 1',
        'to_integer(layer + Fraction(remaining * i, hidden))',
        'tests/models/test_auglocal_head.py',
    ),
    Change(
        'the pyramid of equation 3',
        'local/depth.py',
        'max(num_modules - 2, 1)',
        'max(num_modules - 1, 1)',
        'tests/local/test_depth.py',
    ),
    Change(
        'auxiliary networks have the published numbers of parameters',
        'local/layer_copy.py',
        'projection = nn.Conv2d(in_channels, width, kernel_size=1, stride=stride, bias=False)',
        'projection = nn.Conv2d(in_channels, width, kernel_size=1, stride=stride, bias=True)',
        'tests/models/test_auglocal_head.py',
    ),
    Change(
        'copied layers start from fresh weights',
        'local/layer_copy.py',
        '            reset()\n',
        '            pass\n',
        'tests/local/test_layer_copy.py',
    ),
    Change(
        "PredSim's loss is the published one",
        'models/auxiliary_heads/predsim_head.py',
        "'similarity': 0.99",
        "'similarity': 0.9",
        f'{RIVALS}::test_predsim_loss_is_the_formula',
    ),
    Change(
        "InfoPro's loss is the published one",
        'models/auxiliary_heads/infopro_head.py',
        'align_corners=True',
        'align_corners=False',
        f'{RIVALS}::test_infopro_loss_is_the_formula',
    ),
    Change(
        "DGL's head is the published one",
        'models/auxiliary_heads/dgl_head.py',
        'math.ceil(side / 4) for side in features.shape[2:]',
        'math.ceil(side / 2) for side in features.shape[2:]',
        f'{RIVALS}::test_dgl_pools_to_a_quarter',
    ),
    Change(
        'MAN follows its neighbour',
        'models/auxiliary_heads/man_head.py',
        '1 - self.momentum, 1.0)',
        'self.momentum, 1.0)',
        f'{RIVALS}::test_man_follows_the_neighbour_and_sends_it_no_gradient',
    ),
    Change(
        'plain convolutions cost the FLOPs of copied layers',
        'models/auxiliary_heads/convolution_head.py',
        'return counter.get_total_flops() // 4',
        'return counter.get_total_flops() // 2',
        f'{RIVALS}::test_convolutions_cost_what_auglocals_layers_cost',
    ),
    Change(
        'checkpointing moves running statistics once',
        'local/recompute.py',
        'norm.momentum, norm.num_batches_tracked = 0.0, None',
        'pass',
        'tests/local/test_recompute.py::test_gradients_and_statistics_equal_those_without_checkpointing',
    ),
    Change(
        'a chain that computes something else is refused',
        'backbones/adapter.py',
        'or not torch.allclose(found, expected, 1e-4, 1e-5)',
        '',
        'tests/backbones/test_adapter.py::test_a_chain_that_computes_something_else_is_refused',
    ),
    Change(
        'real steps hold what plans say: images',
        'planning/costs/network_cost.py',
        'return self.image + taps + ',
        'return taps + ',
        'tests/test_contract.py::test_plans_hold_what_a_real_step_holds',
    ),
    Change(
        'the search is exact within its cost model',
        'planning/search/plans.py',
        'module.compute + rest[0] < found[0]',
        'module.compute + rest[0] > found[0]',
        'tests/planning/search/test_plans.py::test_no_plan_is_better',
    ),
    Change(
        'augmentation depends on seed, epoch and image alone',
        'datasets/labelled_images.py',
        'torch.default_generator.manual_seed(seed)',
        'pass',
        'tests/datasets/test_image_folder.py',
    ),
    Change(
        'a resumed training equals one that never stopped',
        'engine/hooks/epoch_seed_hook.py',
        '            _set_epoch(runner, runner.epoch)\n',
        '            _set_epoch(runner, 0)\n',
        'tests/engine/hooks',
    ),
    Change(
        'gradients that accumulate survive a resume',
        'engine/hooks/checkpoint_hook.py',
        'parameter.grad = like(gradient, parameter)',
        'pass',
        'tests/engine/test_two_processes.py tests/engine/hooks/test_auglocal_hook.py',
    ),
    Change(
        'nothing that is not finite is saved',
        'weights/finite.py',
        'tensor.aminmax()',
        'tensor.aminmax()[:1]',
        'tests/engine/hooks/test_checkpoint_hook.py',
    ),
    Change(
        'files are whole or not there',
        'files/atomic.py',
        'os.replace(temporary, target)',
        'target.write_bytes(temporary.read_bytes()[:-1])',
        'tests/files/test_atomic.py',
    ),
    Change(
        'the exported backbone does not depend on the layout of memory',
        'weights/backbone_file.py',
        'value.detach().cpu().clone(**plain)',
        'value.detach().cpu().clone()',
        'tests/models/test_image_classifier.py::test_the_layout_changes_no_number_and_leaves_no_trace_in_the_backbone',
    ),
    Change(
        'the table shows differences to the control',
        'transfer/comparison.py',
        'else mean - control',
        'else control - mean',
        'tests/transfer/test_comparison.py',
    ),
    Change(
        "torchvision's kernels do what mmcv's do",
        'ops/roi_align.py',
        'grad_input.add_(grad)',
        'grad_input.add_(grad.flip(-1))',
        'tests/ops/test_roi_align.py',
    ),
    Change(
        'compiled ops of mmcv come before the stand-in',
        'ops/provide.py',
        'sys.meta_path.append(StandInFinder())',
        'sys.meta_path.insert(0, StandInFinder())',
        'tests/ops/test_provide.py',
    ),
    Change(
        'a backbone exported for another library loads there',
        'weights/layouts.py',
        'if is_of_feature_extractor(key)}',
        '}',
        'tests/weights/test_layouts.py::test_the_library_computes_what_was_trained',
    ),
    Change(
        'an imported backbone is whole',
        'weights/foreign_backbone.py',
        '    if different:',
        '    if not expected:',
        'tests/weights/test_foreign_backbone.py::test_what_is_not_one_whole_resnet_is_refused',
    ),
    Change(
        'a moving average is validated and exported',
        'engine/hooks/primary_ema_hook.py',
        '                average.copy_(own)\n',
        '                pass\n',
        'tests/engine/hooks/test_primary_ema_hook.py',
    ),
    Change(
        'one local module is BP',
        'local/module.py',
        'return self.head.loss(state, targets)',
        'return self.head.loss(state.detach(), targets)',
        'tests/test_contract.py::test_one_module_is_backpropagation',
    ),
    Change(
        'every method starts from the same primary network',
        'models/classifiers/image_classifier.py',
        'with torch.random.fork_rng(devices=[]):',
        'if True:',
        'tests/models/test_auxiliary_heads.py::test_every_method_starts_from_the_same_primary_network',
    ),
    Change(
        'no weights file runs code',
        'weights/checkpoint_file.py',
        "torch.load(file, map_location='cpu', weights_only=True)",
        "torch.load(file, map_location='cpu', weights_only=False)",
        'tests/weights/test_pretrained.py',
    ),
    Change(
        'data workers do not keep the lock of a killed training',
        'files/lock.py',
        'os.close(_held.pop())',
        '_held.pop()',
        'tests/files/test_lock.py::test_data_workers_of_a_killed_training_do_not_keep_it',
    ),
    Change(
        'a module draws the same random numbers wherever it runs',
        'runtime/executor.py',
        'torch.manual_seed(mixed_seed(seed, index))',
        'mixed_seed(seed, index)',
        f'{PARALLEL}::test_the_weights_are_those_of_one_process',
    ),
    Change(
        'features arrive in the layout in which they were computed',
        'runtime/message.py',
        'values.as_strided((samples, *self.shape), (each, *self.strides))',
        'values.view(samples, *self.shape)',
        'tests/runtime/test_message.py',
    ),
    Change(
        'a process has only the weights that it trains',
        'runtime/ownership.py',
        'tensor.data = tensor.new_zeros(1)',
        'pass',
        f'{PARALLEL}::test_a_process_has_only_the_weights_that_it_trains',
    ),
    Change(
        'layer-parallel training validates the whole network',
        'runtime/ownership.py',
        'tensor.data.copy_(values.view(shape))',
        'tensor.data.zero_()',
        f'{PARALLEL}::test_the_weights_are_those_of_one_process',
    ),
    Change(
        'one replica sees the same images in all of its processes',
        'datasets/replica_sampler.py',
        'built.rank, built.world_size = replica_index(), num_replicas()',
        'pass',
        f'{PARALLEL}::test_replicas_of_two_stages_equal_two_processes',
    ),
    Change(
        'the split is the one whose slowest process is fastest',
        'runtime/split.py',
        'max(slowest, cost(first, end - 1))',
        'slowest + cost(first, end - 1)',
        'tests/runtime/test_split.py::test_no_split_has_a_faster_slowest_stage',
    ),
    Change(
        'a process that dies is named with its last completed iteration',
        'engine/hooks/layer_parallel_hook.py',
        'completed_iterations(runner.iter + 1)',
        'completed_iterations(runner.iter)',
        'tests/launch/test_watch.py::test_the_others_end_and_one_says_which_process_and_how_far_it_was',
    ),
    Change(
        'synchronised norms take statistics from the replicas of a stage',
        'runtime/grid.py',
        'module.process_group = replica_group()',
        'module.process_group = None',
        f'{PARALLEL}::test_synchronised_norms_take_statistics_from_the_replicas_of_a_stage',
    ),
    Change(
        'no process needs more memory than its device has',
        'planning/parallel/device_memory.py',
        "if needed(first, last) <= limit else float('inf')",
        'if limit else 0.0',
        'tests/planning/parallel/test_device_memory.py::test_the_fastest_split_that_fits_is_chosen',
    ),
    Change(
        'heads on pooled features read every pixel',
        'local/blueprint.py',
        'nn.AvgPool2d(self.pooling, ceil_mode=True)',
        'nn.AvgPool2d(self.pooling)',
        f'{REDUCED}::test_the_loss_is_that_of_its_definition',
    ),
    Change(
        'narrow heads have the share of the channels that was asked for',
        'local/layer_width.py',
        'narrow_channels(each, width) for each in (child.in_channels, child.out_channels)',
        'each for each in (child.in_channels, child.out_channels)',
        f'{REDUCED}::test_narrow_copies_have_the_sizes_counted_by_hand',
    ),
    Change(
        'a part of the batch has its own labels',
        'models/auxiliary_heads/auglocal_head.py',
        'state.first(images), targets.first(images)',
        'state.first(images), Targets(targets.labels[-images:])',
        f'{REDUCED}::test_the_loss_is_that_of_its_definition',
    ),
    Change(
        'the planner predicts the memory and compute of cheaper heads',
        'planning/costs/network_cost.py',
        "'width', 'pooling', 'batch_share')",
        "'width')",
        'tests/planning/test_agreement.py::test_the_same_for_cheaper_heads',
    ),
    Change(
        'modules that are not due run forward alone',
        'local/step.py',
        'nullcontext() if due else torch.no_grad()',
        'nullcontext()',
        f'{STEP}::test_modules_that_are_not_due_run_forward_alone',
    ),
    Change(
        'a resumed training goes on with the same turns',
        'engine/hooks/auglocal_hook.py',
        'self.executor.iteration = self.runner.iter',
        'self.executor.iteration += 1',
        'tests/engine/hooks/test_auglocal_hook.py::test_resume_equals_never_stopped',
    ),
    Change(
        'processes of a layer-parallel training have the turns of one process',
        'runtime/layer_parallel.py',
        'self.is_due(self.first + index)',
        'self.is_due(index)',
        f'{PARALLEL}::test_the_weights_are_those_of_one_process',
    ),
    Change(
        'an image counts as often as it is drawn',
        'evaluation/weighted_statistics.py',
        'columns = copied_weights(batch, copies)',
        'columns = copied_weights(np.minimum(batch, 1), copies)',
        'tests/evaluation/test_weighted_statistics.py::test_statistics_are_those_of_pycocotools_on_copied_images',
    ),
    Change(
        'detections with equal scores are sorted as pycocotools sorts copied images',
        'evaluation/score_order.py',
        'np.where(repeated, copies, 1)',
        'np.where(repeated, 1, 1)',
        'tests/evaluation/test_weighted_statistics.py::test_tied_detections_of_a_copied_image_alternate',
    ),
    Change(
        'detectors are compared on the same resamples',
        'transfer/paired_interval.py',
        'other.mean(axis=0) - control.mean(axis=0)',
        'other.mean(axis=0) - np.roll(control.mean(axis=0), 1)',
        'tests/transfer/test_paired_interval.py::test_images_that_are_hard_for_both_do_not_matter',
    ),
    Change(
        'evaluations of other images or annotations are not compared',
        'transfer/intervals.py',
        "'annotations': ('annotations',),",
        '',
        'tests/transfer/test_intervals.py::test_other_evaluations_are_refused',
    ),
    Change(
        'matches belong to the evaluation that names them',
        'transfer/recorded_matches.py',
        'if hashlib.sha256(content).hexdigest() != record.sha256:',
        'if not content:',
        'tests/transfer/test_recorded_matches.py::test_damaged_matches_are_refused',
    ),
]
