import torch
from mmengine.runner import Runner


def test_the_average_is_kept_of_the_primary_network_alone_and_exported(tiny_config):
    momentum = 0.25
    config = tiny_config(**{'train_cfg.max_epochs': 1})
    config.custom_hooks = [dict(type='AugLocalHook'), dict(type='PrimaryEMAHook', momentum=momentum)]
    runner = Runner.from_cfg(config)
    followed = []
    name = 'backbone.layer1.0.conv1.weight'

    def watch(hook_runner, batch_idx, data_batch=None, outputs=None):
        followed.append(hook_runner.model.state_dict()[name].clone())

    next(hook for hook in runner.hooks if type(hook).__name__ == 'IterTimerHook').after_train_iter = watch
    runner.train()
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == 'PrimaryEMAHook')
    assert {key.split('.')[0] for key in hook.ema_model.module.state_dict()} == {'backbone', 'head'}
    # mmengine's ExponentialMovingAverage copies at its first step.
    average = followed[0]
    for value in followed[1:]:
        average = (1 - momentum) * average + momentum * value
    exported = torch.load(f'{config.work_dir}/backbone.pth', weights_only=True)
    torch.testing.assert_close(exported[name.removeprefix('backbone.')], average, rtol=1e-5, atol=1e-7)


def test_statistics_that_were_averaged_over_processes_are_saved_with_the_average(tiny_config):
    runner = Runner.from_cfg(tiny_config('bp', custom_hooks=[dict(type='PrimaryEMAHook')]))
    runner.call_hook('before_run')
    runner.model.backbone.bn1.running_mean.fill_(7.0)  # as SyncBuffersHook does
    checkpoint = {'state_dict': runner.model.state_dict()}
    next(hook for hook in runner.hooks if type(hook).__name__ == 'PrimaryEMAHook').before_save_checkpoint(
        runner, checkpoint
    )
    assert checkpoint['state_dict']['backbone.bn1.running_mean'].tolist() == [7.0] * 8
